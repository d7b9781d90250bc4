#!/bin/sh
#SBATCH --partition=a100 --gres=gpu:A100:1
#SBATCH --ntasks=1 --cpus-per-task=1 --mem=512M --time=2 --output=/dev/null --no-requeue
#SBATCH hetjob
#SBATCH --partition=v100 --gres=gpu:tesla_v100:1
#SBATCH --ntasks=1 --cpus-per-task=1 --mem=512M --time=2 --output=/dev/null --no-requeue
set -eu
exec srun --het-group=0-1 --input=none sh -c '
  set -eu
  test -n "$CUDA_VISIBLE_DEVICES"
  work=$(mktemp -d)
  trap "rm -rf $work" EXIT
  mkdir -p $work/root/bin $work/root/proc $work/root/sys $work/root/dev $work/root/tmp $work/root/etc $work/root/var/tmp $work/root/home
  cp /usr/sbin/ldconfig $work/root/bin/program
  mksquashfs $work/root $work/image.sqfs -quiet -no-progress >/dev/null
  cd $work
  apptainer -q exec --containall --no-home image.sqfs /bin/program --version >/dev/null
'
