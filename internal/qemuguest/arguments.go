package qemuguest

import (
	"fmt"
	"strings"

	"kvmnet/internal/spec"
)

// arguments is the command line of QEMU: one NIC, a console that is read as file
// 3, a second serial port for commands on standard input and output.
func arguments(c Config) []string {
	memory := c.Memory
	if memory == 0 {
		memory = DefaultMemory
	}
	argv := append(c.Way.inherited(),
		"-accel", "tcg", "-cpu", "max", "-smp", fmt.Sprint(c.Way.processors()), "-m", fmt.Sprint(memory),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-name", c.Name,
		"-chardev", c.Way.console(), "-device", "isa-serial,chardev=console,index=0",
		"-chardev", "stdio,id=agent,signal=off", "-device", "isa-serial,chardev=agent,index=1",
	)
	if c.Firmware != nil {
		return append(append(argv, c.netdev()...), c.Firmware.arguments(c.device())...)
	}
	argv = append(argv, "-machine", machine, "-global", "virtio-net-pci.romfile=",
		"-kernel", c.Assets.Kernel, "-initrd", c.Assets.Initramfs, "-append", CommandLine(c))
	if c.Way != nil {
		return append(argv, c.Way.NIC...)
	}
	return append(append(argv, c.netdev()...), "-device", c.device())
}

// netdev and device are the two ends of the NIC of a guest on Tap.
func (c Config) netdev() []string {
	return []string{"-netdev", "tap,id=nic,ifname=" + c.Tap + ",script=no,downscript=no,vhost=off"}
}

func (c Config) device() string {
	mac := c.MAC
	if mac.IsZero() {
		mac = spec.GenerateMAC(c.Name)
	}
	return "virtio-net-pci,netdev=nic,mac=" + mac.String()
}

// machine is a PC with little to wait for.
const machine = "pc,usb=off,hpet=off,vmport=off"

// CommandLine is the kernel's. Words that it does not know, and that have no dot,
// become the environment of init. Whoever has a guest boot from the network hands
// it over there.
func CommandLine(c Config) string {
	words := []string{
		"console=ttyS0", "quiet", "panic=-1", "mitigations=off", "nokaslr", "tsc=reliable", "no_timer_check",
		"cryptomgr.notests", "random.trust_cpu=on", "net.ifnames=0",
		"KVMNET_NAME=" + c.Name,
	}
	if len(c.Addresses) > 0 {
		words = append(words, "KVMNET_ADDRESSES="+join(c.Addresses))
	}
	if len(c.Gateways) > 0 {
		words = append(words, "KVMNET_GATEWAYS="+join(c.Gateways))
	}
	if c.DHCP {
		words = append(words, "KVMNET_DHCP=1")
	}
	return strings.Join(append(words, c.Kernel...), " ")
}

func join[T fmt.Stringer](list []T) string {
	var words []string
	for _, v := range list {
		words = append(words, v.String())
	}
	return strings.Join(words, ",")
}
