"""Landing: bytes become typed, checked, encrypted rows; whatever breaks a rule waits in quarantine."""
