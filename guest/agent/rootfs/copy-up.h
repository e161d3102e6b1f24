// Filling a fresh tmpfs with what the image has at its place.
#pragma once

// Copies a tree of directories, files, links and nodes, with owners and modes. -errno, -ELOOP when it is too deep.
int copy_up_tree(int from, int to);
