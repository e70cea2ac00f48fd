"""Sample bills, computed from a connection and never stored: amounts, wire shapes and PDF files."""
