"""The captioners that can be asked for by name: functions of a lexicon, a folder of word lists, settings and a seed."""

from nounflow.captions.offline import draft_captions

CAPTIONERS = {"offline": draft_captions}
