#!/usr/bin/env bash
# A fit on 8 GPUs of 2 machines of a Slurm cluster: sbatch fit-slurm.sh
# Submit it again to resume a fit that was ended, such as by its time limit.
#SBATCH --job-name=kerasft
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-task=1
#SBATCH --mem-per-cpu=4G
#SBATCH --time=08:00:00
set -euo pipefail

recipe=resnet_digits name=slurm
export KERAS_BACKEND=jax

options=(--batch-size 256)
if [[ -e "runs/$recipe/$name/manifest.json" ]]; then options=(--resume); fi
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" --kill-on-bad-exit=1 \
  kerasft fit "$recipe" --name "$name" "${options[@]}"
