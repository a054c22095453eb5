package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// wiring is how a VMM gets at the device of a port: by its name, or by descriptors
// that it inherits.
type wiring struct {
	port   api.Port
	id     string // what the VMM calls the NIC; "" = made from the port's name
	taps   []int  // descriptors of the tap, one a queue; none = by its name
	vhosts []int  // descriptors of /dev/vhost-net, as many as taps or none
	vhost  string // without those: "on" has QEMU open it, "off" not; "" = as QEMU does
}

// vmmFields tells what each VMM has to be called with for a port, ready to paste
// into a shell: a name and a text in turn, as for fields. Nobody opens a veth.
func vmmFields(p api.Port, vhost string) []string {
	if p.Spec.Type == spec.Veth {
		return nil
	}
	w, opened, snippet := wiring{port: p, vhost: vhost}, "", ""
	if p.Spec.Type == spec.Macvtap { // which is opened by its number: the shell does, and the VMM inherits it
		w.taps = []int{3}
		opened = fmt.Sprintf(" 3<>/dev/tap$(cat /sys/class/net/%s/ifindex)", p.Spec.Interface)
	} else {
		snippet = w.firecracker()
	}
	return []string{
		"QEMU", strings.Join(w.qemu(), " ") + opened,
		"Cloud Hypervisor", "--net " + w.cloudHypervisor() + opened,
		"crosvm", strings.Join(w.crosvm(), " ") + opened,
		"Firecracker", snippet,
	}
}

// qemu is a netdev and a device for it. The guest learns another MTU than 1500 from
// the device.
func (w wiring) qemu() []string {
	id := w.id
	if id == "" {
		id = qemuID(w.port.Name)
	}
	return []string{"-netdev", "tap,id=" + id + w.qemuTap(), "-device", "virtio-net-pci,netdev=" + id + w.qemuDevice()}
}

// qemuTap are the options of the netdev. QEMU refuses queues= beside descriptors: it
// counts them.
func (w wiring) qemuTap() string {
	plural := ""
	if len(w.taps) > 1 {
		plural = "s"
	}
	var text string
	switch {
	case len(w.taps) > 0:
		text = fmt.Sprintf(",fd%s=%s", plural, numbers(w.taps, ":"))
	case w.queues() > 1:
		text = fmt.Sprintf(",ifname=%s,script=no,downscript=no,queues=%d", w.port.Spec.Interface, w.queues())
	default:
		text = fmt.Sprintf(",ifname=%s,script=no,downscript=no", w.port.Spec.Interface)
	}
	switch {
	case len(w.vhosts) > 0:
		text += fmt.Sprintf(",vhost=on,vhostfd%s=%s", plural, numbers(w.vhosts, ":"))
	case w.vhost != "":
		text += ",vhost=" + w.vhost
	}
	return text
}

// qemuDevice are the options of the device. A queue has an interrupt in either
// direction, and the device one for its configuration and one for control.
func (w wiring) qemuDevice() string {
	text := w.mac()
	if n := w.queues(); n > 1 {
		text += fmt.Sprintf(",mq=on,vectors=%d", 2*n+2)
	}
	if mtu := w.port.Status.MTU; mtu > 0 && mtu != 1500 {
		text += fmt.Sprintf(",host_mtu=%d", mtu)
	}
	return text
}

// cloudHypervisor is a value of --net, which takes several and may be given once. It
// counts the queues of either direction.
func (w wiring) cloudHypervisor() string {
	text := "tap=" + w.port.Spec.Interface
	switch {
	case len(w.taps) == 1:
		text = fmt.Sprintf("fd=%d", w.taps[0])
	case len(w.taps) > 1:
		text = "fd=[" + numbers(w.taps, ",") + "]"
	}
	text += w.mac()
	if n := w.queues(); n > 1 {
		text += fmt.Sprintf(",num_queues=%d", 2*n)
	}
	return text
}

// crosvm takes one descriptor only, and opens the queues of a tap by its name.
func (w wiring) crosvm() []string {
	text := "tap-name=" + w.port.Spec.Interface
	if len(w.taps) > 0 {
		text = fmt.Sprintf("tap-fd=%d", w.taps[0])
	}
	text += w.mac()
	if n := w.queues(); n > 1 && len(w.taps) == 0 {
		text += fmt.Sprintf(",vq-pairs=%d", n)
	}
	return []string{"--net", text}
}

// firecrackerNIC is an element of network-interfaces in Firecracker's configuration,
// and the body of PUT /network-interfaces/{iface_id}.
type firecrackerNIC struct {
	ID     string   `json:"iface_id"`
	Device string   `json:"host_dev_name"`
	MAC    spec.MAC `json:"guest_mac,omitzero"`
}

func (w wiring) firecrackerNIC() firecrackerNIC {
	id := w.id
	if id == "" {
		id = firecrackerID(w.port.Name)
	}
	return firecrackerNIC{id, w.port.Spec.Interface, w.port.Spec.MAC}
}

// firecracker knows taps by their name only.
func (w wiring) firecracker() string {
	text, _ := json.Marshal(w.firecrackerNIC()) // strings always encode
	return string(text)
}

// queues are those the guest may use.
func (w wiring) queues() int { return max(len(w.taps), w.port.Spec.Queues, 1) }

func (w wiring) mac() string {
	if w.port.Spec.MAC.IsZero() {
		return ""
	}
	return ",mac=" + w.port.Spec.MAC.String()
}

func numbers(list []int, between string) string {
	var words []string
	for _, n := range list {
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, between)
}

// qemuID makes an id of a name: QEMU wants a letter first, then letters, digits
// and -._ (id_wellformed in its util/id.c).
func qemuID(name string) string {
	id := mapRunes(name, "-._", '-')
	if id == "" || !isLetter(rune(id[0])) {
		id = "net-" + id
	}
	return id
}

// firecrackerID makes an id of a name: Firecracker takes letters, digits and _ (its
// checked_id in src/firecracker/src/api_server/request/mod.rs).
func firecrackerID(name string) string { return mapRunes(name, "_", '_') }

// mapRunes puts one rune in the place of all that are no letters, digits or of others.
func mapRunes(text, others string, instead rune) string {
	return strings.Map(func(r rune) rune {
		if isLetter(r) || r >= '0' && r <= '9' || strings.ContainsRune(others, r) {
			return r
		}
		return instead
	}, text)
}

func isLetter(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }
