"""The commands of `magiclink`: options in, text out, processes started and stopped. No rule of the product is here."""
