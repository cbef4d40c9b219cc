# A worker of emobox: eGeMAPS functionals by the Python package opensmile. On standard input: the number of samples as
# 32 bits, then the samples at 16 kHz as 32-bit floats, again and again. On standard output for each: 88 32-bit floats,
# NaN where openSMILE finds too little. Everything is little-endian.
import os
import sys
import warnings

answers = os.fdopen(os.dup(1), "wb")
# Whatever a library prints goes where it can do no harm.
os.dup2(2, 1)
warnings.simplefilter("ignore")
import numpy
import opensmile

smile = opensmile.Smile(
    feature_set=opensmile.FeatureSet.eGeMAPSv02,
    feature_level=opensmile.FeatureLevel.Functionals,
)
questions = sys.stdin.buffer
while head := questions.read(4):
    samples = numpy.frombuffer(questions.read(4 * int.from_bytes(head, "little")), "<f4")
    row = smile.process_signal(samples, 16000).to_numpy().reshape(-1)
    answers.write(row.astype("<f4").tobytes())
    answers.flush()
