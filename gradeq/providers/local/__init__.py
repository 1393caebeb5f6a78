"""A model on this machine: its file, a server process for it, and a provider that asks that.

The server is llama.cpp's, from the package xllamacpp. It runs in a process of its own (`child`),
which all engines of this user that want the same file share (`sharing`): it is started by the
first one that has a question (`link`), and ends with the last one, however that ends.
"""
