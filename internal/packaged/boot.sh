# The first process of a machine: makes its root from what $LOWER has, and runs $INIT.
# What is written goes to a tmpfs at $WORK. Nothing outside is changed: mounts are
# private, and settings of the kernel other than those of the network are read only.
set -eu
mount --make-rprivate /
mount -t tmpfs machine "$WORK"
mkdir "$WORK/upper" "$WORK/work" "$WORK/root"
root=$WORK/root
mount -t overlay machine -o "lowerdir=$LOWER,upperdir=$WORK/upper,workdir=$WORK/work" "$root"
mkdir -p "$root/mnt/packages" "$root/mnt/old" "$root/mnt/written"
mount --bind "$PACKAGES" "$root/mnt/packages"
mount --bind "$WORK/upper" "$root/mnt/written"
mount -t tmpfs -o mode=0755,nosuid,nodev,noexec run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount -t tmpfs -o mode=0755 dev "$root/dev"
mkdir "$root/dev/net" "$root/dev/pts" "$root/dev/shm"
for node in null zero full random urandom tty net/tun vhost-net; do
    [ -e "/dev/$node" ] || continue
    : >"$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 pts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys/net" "$root/mnt/old"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount --bind "$root/mnt/old" "$root/proc/sys/net"
umount "$root/mnt/old"
mount -t sysfs -o ro sys "$root/sys"
mount -t cgroup2 cgroup "$root/sys/fs/cgroup" 2>/dev/null || mount -t tmpfs cgroup "$root/sys/fs/cgroup"
hostname machine
ip link set lo up
cd "$root"
pivot_root . mnt/old
umount -l /mnt/old
rmdir /mnt/old
export container=kvmnet
exec $INIT </dev/null
