"""How well search finds: folders of questions whose documents are known, asked of North's own index in a place of its own."""
