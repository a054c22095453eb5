package peers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"kvmnet/internal/qemuguest"
	"kvmnet/internal/spec"
)

// VM is a virtual machine of libvirt's.
type VM struct {
	*qemuguest.Guest
	lv   *Libvirt
	name string
}

// Boot has libvirt start a virtual machine, emulated, with one NIC: what inside says
// within its <interface type='KIND'>. The guest asks for a lease.
func (lv *Libvirt) Boot(assets *qemuguest.Assets, name string, mac spec.MAC, kind, inside string) (*VM, error) {
	lv.t.Helper()
	words := qemuguest.CommandLine(qemuguest.Config{Name: name, DHCP: true})
	file := lv.File(name+".xml", fmt.Sprintf(domainXML, name, qemuguest.DefaultMemory, assets.Kernel, assets.Initramfs, words, assets.QEMU,
		lv.Path(name+".console"), lv.Path(name+".agent"), kind, mac, inside))
	line, err := net.Listen("unix", lv.Path(name+".agent"))
	if err != nil {
		return nil, err
	}
	defer line.Close()
	if said := lv.Machines("create", file); said.Code != 0 {
		return nil, fmt.Errorf("virsh create: %s", said.Err)
	}
	conn, err := line.Accept()
	if err != nil {
		return nil, err
	}
	g, err := qemuguest.Attach(lv.t.Context(), name, conn)
	if err != nil {
		console, _ := os.ReadFile(lv.Path(name + ".console"))
		return nil, fmt.Errorf("%w: console: %s", err, console)
	}
	lv.t.Cleanup(func() { g.Close() })
	return &VM{g, lv, name}, nil
}

// domainXML is a machine as qemuguest makes them. Libvirt has QEMU connect the second
// serial port to a socket that listens before the machine starts.
const domainXML = `<domain type='qemu'>
  <name>%s</name><memory unit='MiB'>%d</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><kernel>%s</kernel><initrd>%s</initrd><cmdline>%s</cmdline></os>
  <features><acpi/></features> <!-- without it nobody can switch it off -->
  <on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot>
  <devices>
    <emulator>%s</emulator>
    <serial type='file'><source path='%s'/><target port='0'/></serial>
    <serial type='unix'><source mode='connect' path='%s'/><target port='1'/></serial>
    <interface type='%s'><mac address='%s'/>%s<model type='virtio'/><rom enabled='no'/></interface>
    <memballoon model='none'/>
  </devices>
</domain>
`

// Machines runs a command of virsh that is about virtual machines.
func (lv *Libvirt) Machines(args ...string) Said {
	lv.t.Helper()
	uri := "qemu+unix:///system?socket=" + lv.Path("run", "libvirt-sock")
	return lv.said(exec.Command("virsh", append([]string{"-c", uri}, args...)...))
}

// PID is the process of the machine.
func (v *VM) PID() (int, error) {
	stats, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, s := range stats {
		pid, err := strconv.Atoi(s.Name())
		if err != nil {
			continue
		}
		line, _ := os.ReadFile("/proc/" + s.Name() + "/cmdline") // it may have ended
		if strings.Contains(string(line), "\x00guest="+v.name+",") && strings.Contains(string(line), v.lv.Path()) {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("no process is the machine %s", v.name)
}
