"""What a bundle says: manifest, contract, and their validation. Pure."""
