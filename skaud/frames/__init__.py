"""Steps on the frames of any model: compression, cepstra, differences, modulation; each a transformer."""
