"""The commands of `magiclink`: they parse options, print text, start and stop processes. No product rule is here."""
