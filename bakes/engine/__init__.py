"""A tape (a ZIP of frames, their times and a soundtrack) becomes an MP4 and a thumbnail. Nothing of Django."""
