"""Tests of the teams' marts."""
