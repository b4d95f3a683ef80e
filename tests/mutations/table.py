"""All mutations."""

from of_data import MUTATIONS as OF_DATA
from of_hypergradients import MUTATIONS as OF_HYPERGRADIENTS
from of_trainer import MUTATIONS as OF_TRAINER
from of_training import MUTATIONS as OF_TRAINING

MUTATIONS = (*OF_HYPERGRADIENTS, *OF_TRAINING, *OF_DATA, *OF_TRAINER)
