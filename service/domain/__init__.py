"""The values and decisions of the product, without I/O: no database, no HTTP, no clock. All other code uses them."""
