/* Checkpoints: weights and the few numbers that training cannot derive again.
 *
 * A checkpoint at step t holds w_t, with step t itself not yet recorded: whoever resumes records
 * t again. f_lin_t of a linearised twin is a tensor of its own in the same file, so that the two
 * cannot stand at different steps. w_0, K_0 and the step size are made anew from the seed; a
 * fingerprint of w_0 and L_0 tells when they are not the same as they were. */
#ifndef PLSTAR_TRAIN_CHECKPOINT_H
#define PLSTAR_TRAIN_CHECKPOINT_H

#include "plstar/train.h"
#include "train/lm.h"

typedef struct pls_checkpoint {
    int64_t step;
    double initial_loss;       /* fingerprint: L_0 ... */
    double initial_norm;       /* ... and ||w_0|| */
    double lambda_min_infimum; /* over the steps before, with its floor */
    double infimum_floor;
    int64_t violations;
    int64_t measurements;
    double *linear;      /* f_lin_t of the linearised twin, n x k; NULL without one */
    pls_damping damping; /* of Levenberg-Marquardt */
} pls_checkpoint;

/* Writes folder/state.safetensors atomically; the folder is made if it is not there. An f_lin that
 * is not finite any more is kept as that word alone. */
pls_status pls_checkpoint_save(pls_system *system, const char *folder,
                               const pls_checkpoint *checkpoint);

/* Reads the numbers, checks the two fingerprints against those given in *checkpoint, and puts the
 * weights into the system and f_lin_t where checkpoint->linear points to, unless that is NULL.
 * Errors: PLS_ERROR_FILE, PLS_ERROR_DATA. */
pls_status pls_checkpoint_load(pls_system *system, const char *folder, pls_checkpoint *checkpoint);

#endif
