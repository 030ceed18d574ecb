"""Where bytes come from: files of any of the known shapes, cut into lines and fields."""
