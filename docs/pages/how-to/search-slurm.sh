#!/usr/bin/env bash
# A search on 8 GPUs of a Slurm cluster: sbatch search-slurm.sh
# Submit it again to continue a search that was ended, such as by its time limit.
#SBATCH --job-name=kerasft
#SBATCH --ntasks=8
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-task=1
#SBATCH --mem-per-cpu=4G
#SBATCH --time=08:00:00
set -euo pipefail

recipe=resnet_digits name=slurm
host=$(hostname -I | cut -d' ' -f1) port=8786
export DASK_DISTRIBUTED__WORKER__DAEMON=False  # workers may start processes
trap 'kill $(jobs -p)' EXIT

dask scheduler --host "$host" --port "$port" --no-dashboard &
until (: <"/dev/tcp/$host/$port") 2>/dev/null; do sleep 1; done
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" \
  dask worker "tcp://$host:$port" --nthreads 1 --memory-limit 0 --no-dashboard &

resume=()
if [[ -e "searches/$recipe/$name" ]]; then resume=(--resume); fi
# The GPUs are for the trials.
CUDA_VISIBLE_DEVICES='' kerasft tune "$recipe" --scheduler "tcp://$host:$port" --name "$name" \
  "${resume[@]}"
