"""Blood counts: their indices, and what tells the patients with a positive scan from those with a negative one."""
