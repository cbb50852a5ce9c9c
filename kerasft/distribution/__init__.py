"""Training on several devices, of one process or of several processes (ranks).

Every rank runs the whole fit: the same data, the same model, the same order of examples. Only the
steps of the training are shared, each rank with its rows of every batch, and only the first rank
writes. So hardly anything outside this room asks for the number of devices.
"""
