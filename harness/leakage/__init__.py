"""The leakage guard: which prompts of a suite a model saw while it was trained, and in which training example.

Exact duplicates have the same normal form (`forms`). Near duplicates share at least half of their distinct character
4-grams (Jaccard), spaces included; MinHash signatures of 128 permutations only say which pairs are worth that count.
Compared are each of the user's turns and all of them together on both sides, and the lines of longer training texts,
where templates hide their questions. What assistants answered is not looked at.

Why 4-grams of characters from 0.5 on: 450 of the 500 Recipe-MPR questions (4 to 31 words) as training data after some
words were replaced by others of the corpus, or had a letter changed, dropped or added; 4 seeds; share found. `alike` is
the most similar pair of an unseen question and a training question, `taken` counts pairs of different prompts that
would be taken for one another, of 163,000 in ten sets of prompts.

    n-grams            from   10 % words   15 %   20 %   slips in 30 %   40 %   alike   taken
    words              0.60      1.000    1.000  0.997           0.317  0.052    0.50       9
    pairs of words     0.40      0.984    0.937  0.817           0.276  0.059    0.33      33
    3 characters       0.55      0.991    0.977  0.897           1.000  0.991    0.40       9
    4 characters       0.50      0.992    0.979  0.888           0.998  0.917    0.33       8
    5 characters       0.45      0.992    0.978  0.894           0.987  0.781    0.31      10

Words alone miss slips and inflection, forget the order and need spaces; of the others 4 characters leave the widest gap
between what was never seen and the threshold at the same recall. With 64 permutations five times as many pairs
of questions had to be counted as with 128, with 250 a third fewer at twice the time and size.

It refuses: files that are no training data, damaged or foreign indexes, pickles. It cannot see: a prompt inside one
long line of other text, a translation, a retelling. Prompts made from the same template as training examples are near
them, and are reported so.
"""

from harness.leakage.examples import TrainingExample, examples_of
from harness.leakage.forms import normal
from harness.leakage.gate import verb
from harness.leakage.index import FILE, TrainingIndex, read
from harness.leakage.joined import join
from harness.leakage.matches import Leakage, Match, find

__all__ = [
    "FILE",
    "Leakage",
    "Match",
    "TrainingExample",
    "TrainingIndex",
    "examples_of",
    "find",
    "join",
    "normal",
    "read",
    "verb",
]
