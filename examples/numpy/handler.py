"""Fits a line and multiplies matrices. numpy's BLAS starts threads if it is allowed several; Mayfly allows it one, so
that the template can be forked. With OPENBLAS_NUM_THREADS=4 in `env` each instance loads the code itself instead."""

import json

import numpy

numpy.ones((256, 256)) @ numpy.ones((256, 256))  # warm, in the template


def handler(event, context):
    points = numpy.array(json.loads(event["body"]), dtype=float)
    slope, offset = numpy.polyfit(points[:, 0], points[:, 1], 1)
    square = numpy.full((512, 512), 2.0) @ numpy.eye(512)
    return {"slope": round(slope, 6), "offset": round(offset, 6), "trace": float(numpy.trace(square))}
