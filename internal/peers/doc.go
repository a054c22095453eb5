// Package peers is test support: real programs that stand on the other side of
// our services, each in a test host of its own. DHCP clients (udhcpc, ISC
// dhclient, dhcpcd, systemd-networkd, klibc's ipconfig, the Linux kernel itself
// in a virtual machine, and one of our own that insists on right checksums), a
// name server client (dig), load generators (perfdhcp, dnsperf) and a server to
// compare with (dnsmasq).
//
// What enters: a testing.TB and a test host whose eth0 is plugged in. What
// leaves: Leases as the client tells them, a Trace of the messages that passed,
// answers and rates as plain values. Programs run with private directories in a
// mount namespace of their own and are gone at the end of the test.
//
// peers imports testing, so nothing that ships in the binary imports it. Of
// kvmnet it imports nstest, testhost, qemuguest, netns and spec only.
package peers
