"""What stays around the steps: the rail, the strips above and below, notices."""
