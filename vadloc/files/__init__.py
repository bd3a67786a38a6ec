"""Reading and writing of files: atomic, checked, without executing anything they hold."""
