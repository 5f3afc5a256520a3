"""How well vectors tell what neurons are: protocols, scores, figures."""
