"""The streaming way in over HTTP: an answer of 2xx means that the events are on disk, encrypted."""
