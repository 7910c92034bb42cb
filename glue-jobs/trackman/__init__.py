"""What the platform's jobs share: pure functions over bytes, Arrow and DataFrames, with I/O at the edge."""
