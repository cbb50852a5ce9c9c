"""Images that look alike: the same picture saved again, resized or slightly cropped.

Candidates have near difference hashes (the signs of 64 horizontal gradients). They are confirmed
on thumbnails, because pictures of one simple shape share hashes: of 1,797 handwritten digits,
34,360 pairs have near hashes, and no pair passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from kerasft.display import progress

_BANDS, _BITS = 4, 16  # hashes that differ in at most 3 bits agree in one of four bands
_NEAR = 6  # bits in which the hashes of candidates may differ
_SHIFTS = 32  # neighbors with the same band that are compared: time linear in the images
_SIDE = 16  # pixels of a thumbnail
_DIFFERENCE = 0.08  # RMS difference of thumbnails, relative to their standard deviation
_FLAT = 2  # range of the gray values of an image without gradients
_ROWS = 4096  # pairs that are confirmed at once
_ENOUGH = 64  # rows of pixels that are averaged for a hash


def difference_hash(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return 64-bit difference hashes of images, and the indices of images without gradients.

    Args:
        arrays: uint8 images of shape (n, height, width, 3), one array per split.
    """
    total = sum(map(len, arrays))
    grays = np.empty((total, 8, 9), np.int16)
    with progress("comparing images", total) as bar:
        for index, image in enumerate(image for array in arrays for image in array):
            step = max(1, len(image) // _ENOUGH)
            gray = Image.fromarray(image[::step, ::step]).convert("L")
            grays[index] = np.asarray(gray.resize((9, 8), Image.Resampling.BOX))
            bar.advance()
    bits = np.diff(grays, axis=2).reshape(total, 64) > 0
    hashes = np.packbits(bits, axis=1).view(np.uint64).ravel()
    return hashes, np.flatnonzero(np.ptp(grays, axis=(1, 2)) <= _FLAT)


def images_alike(
    arrays: Sequence[np.ndarray], hashes: np.ndarray, left_out: np.ndarray
) -> list[list[int]]:
    """Return groups of the indices of images that look alike.

    Args:
        arrays: Images, as in `difference_hash`.
        hashes: Their hashes.
        left_out: Indices of images that are not compared.
    """
    pairs = _candidates(hashes)
    pairs = pairs[~np.isin(pairs, left_out).any(axis=1)]
    if len(pairs):
        pairs = pairs[_confirmed(arrays, pairs)]
    if not len(pairs):
        return []
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(hashes), len(hashes)))
    _, group_of = connected_components(graph, directed=False)
    members = np.unique(pairs)
    groups: dict[int, list[int]] = {}
    for index in members.tolist():
        groups.setdefault(int(group_of[index]), []).append(index)
    return list(groups.values())


def _candidates(hashes: np.ndarray) -> np.ndarray:
    """Return pairs of indices, shape (n, 2), of images with near hashes."""
    found = [np.empty((0, 2), np.int64)]
    for band in range(_BANDS):
        keys = (hashes >> np.uint64(_BITS * band)) & np.uint64(2**_BITS - 1)
        order = np.lexsort((hashes, keys))
        ordered = keys[order]
        for shift in range(1, min(_SHIFTS, len(hashes))):
            (same,) = np.nonzero(ordered[shift:] == ordered[:-shift])
            if not len(same):
                break
            pairs = np.sort(np.stack([order[same], order[same + shift]], axis=1), axis=1)
            found.append(pairs[_distance(*hashes[pairs.T]) <= _NEAR])
    return np.unique(np.concatenate(found), axis=0)


def _distance(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the number of bits in which hashes differ."""
    bits = np.unpackbits((left ^ right).view(np.uint8)).reshape(-1, 64)
    distance: np.ndarray = bits.sum(axis=1, dtype=np.int64)
    return distance


def _confirmed(arrays: Sequence[np.ndarray], pairs: np.ndarray) -> np.ndarray:
    """Return whether the thumbnails of each pair are nearly equal, shape (n,)."""
    indices = np.unique(pairs)
    thumbnails = np.empty((len(indices), _SIDE, _SIDE, 3), np.uint8)
    for row, image in enumerate(images_at(arrays, indices)):
        small = Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.BOX)
        thumbnails[row] = np.asarray(small)
    rows = np.searchsorted(indices, pairs)
    blocks = thumbnails.reshape(-1, 4, _SIDE // 4, 4, _SIDE // 4, 3).mean((2, 4), np.float32)
    contrast = thumbnails.reshape(len(indices), -1).std(axis=1, dtype=np.float32)
    most = _DIFFERENCE * contrast[rows].min(axis=1)
    # Means of blocks differ less than their pixels do: few pairs are left for the second look.
    confirmed: np.ndarray = _differences(blocks, rows) <= most
    confirmed[confirmed] = _differences(thumbnails, rows[confirmed]) <= most[confirmed]
    return confirmed


def images_at(arrays: Sequence[np.ndarray], indices: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the images at sorted indices of the concatenated arrays."""
    begin = 0
    for array in arrays:
        for index in indices[(indices >= begin) & (indices < begin + len(array))]:
            yield array[index - begin]
        begin += len(array)


def _differences(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the RMS differences of pairs of images, given by their rows, shape (n,)."""
    flat = images.reshape(len(images), -1)
    found = np.empty(len(rows), np.float32)
    for begin in range(0, len(rows), _ROWS):
        left, right = flat[rows[begin : begin + _ROWS].T].astype(np.float32)
        found[begin : begin + _ROWS] = np.sqrt(np.mean((left - right) ** 2, axis=1))
    return found
