"""From the lake to an audited release: plan, build, publish."""
