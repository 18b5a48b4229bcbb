"""A page on which a reader chooses what is lost: the explored graph of one connection, to click through."""
