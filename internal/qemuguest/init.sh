#!/bin/sh
# First process of a guest. The kernel hands it the KVMNET_… words of its command
# line as environment. Messages go to the first serial port; agent.sh takes commands
# at the second one.
export PATH=/bin HOME=/ TERM=dumb
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do
	insmod "$module" || echo "insmod $module failed"
done
hostname "${KVMNET_NAME:-guest}"

# Addresses are for use at once: no duplicate address detection.
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
echo 0 >/proc/sys/net/ipv6/conf/default/dad_transmits
ip link set lo up
tries=0
until [ -e /sys/class/net/eth0 ] || [ $tries = 100 ]; do
	tries=$((tries + 1))
	usleep 20000
done
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
ip link set eth0 up

comma() { echo "$1" | tr , ' '; }
for address in $(comma "$KVMNET_ADDRESSES"); do
	ip address add "$address" dev eth0
done
for gateway in $(comma "$KVMNET_GATEWAYS"); do
	case $gateway in
	*:*) ip -6 route add default via "$gateway" dev eth0 ;;
	*) ip route add default via "$gateway" dev eth0 ;;
	esac
done
if [ -n "$KVMNET_DHCP" ]; then
	udhcpc -i eth0 -s /etc/udhcpc.sh -x "hostname:$(hostname)" -t 20 -T 1 -A 1 -b
fi

# In a process of its own: processes that lost their parent become children of this
# one. When a child of the shell that reads ends meanwhile, busybox's read begins
# anew and forgets what it has of the line.
{
	stty 115200 raw -echo
	sh /agent.sh
} </dev/ttyS1 >/dev/ttyS1
poweroff -f
