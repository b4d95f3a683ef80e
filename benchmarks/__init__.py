"""What the project measures of itself: time, memory and exactness, against other ways of doing the same."""
