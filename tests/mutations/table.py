"""All mutations, by what they are of."""

from of_data import MUTATIONS as OF_DATA
from of_hypergradients import MUTATIONS as OF_HYPERGRADIENTS
from of_metrics import MUTATIONS as OF_METRICS
from of_trainer import MUTATIONS as OF_TRAINER
from of_training import MUTATIONS as OF_TRAINING

BY_KIND = {
    "hypergradients": OF_HYPERGRADIENTS,
    "training": OF_TRAINING,
    "data": OF_DATA,
    "trainer": OF_TRAINER,
    "metrics": OF_METRICS,
}
MUTATIONS = tuple(mutation for kind in BY_KIND.values() for mutation in kind)
