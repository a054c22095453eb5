#!/bin/sh
# What udhcpc(8) calls: $1 is the event, the lease is in the environment.
env >"/tmp/udhcpc.$1"
case $1 in
deconfig)
	ip -4 address flush dev "$interface"
	;;
bound | renew)
	ip -4 address flush dev "$interface"
	ip address add "$ip/$mask" dev "$interface"
	for r in $router; do
		ip route add default via "$r" dev "$interface"
		break
	done
	: >/etc/resolv.conf
	[ -n "$domain" ] && echo "search $domain" >>/etc/resolv.conf
	for server in $dns; do
		echo "nameserver $server" >>/etc/resolv.conf
	done
	;;
esac
