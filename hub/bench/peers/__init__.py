"""Other engines on the same work, as programs of their own: no dependency of the hub.

They read canonical plate reads, drop ids they have seen, append the place by device, leave out
`restricted` for one of two subscribers, and write two topics. `work` is what they share.
"""
