package libvirthost

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"kvmnet/internal/api"
)

// Virsh is a libvirt that virsh talks to, here or on another host.
type Virsh struct {
	URI string // "" = virsh's own choice
	Run func(ctx context.Context, args ...string) (string, error)
	Now func() time.Time // nil = time.Now
}

// NewVirsh runs virsh for a connection, with messages in English and times in UTC.
func NewVirsh(uri string) Virsh { return Virsh{URI: uri, Run: runVirsh} }

func runVirsh(ctx context.Context, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "virsh", args...)
	c.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("run virsh: it is not installed; install libvirt-clients, or read libvirt's files without --virsh")
	}
	if err != nil {
		return "", fmt.Errorf("virsh %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}

func (v Virsh) ask(ctx context.Context, args ...string) (string, error) {
	if v.URI != "" {
		args = append([]string{"--connect", v.URI}, args...)
	}
	return v.Run(ctx, args...)
}

// Networks implements Source.
func (v Virsh) Networks(ctx context.Context) ([]Network, error) {
	text, err := v.ask(ctx, "net-list", "--all", "--persistent", "--name")
	if err != nil {
		return nil, err
	}
	var list []Network
	var errs []error
	for line := range strings.Lines(text) {
		if name := strings.TrimRight(line, "\n"); strings.TrimSpace(name) != "" {
			n, err := v.network(ctx, name)
			if err == nil {
				list = append(list, n)
			}
			errs = append(errs, err)
		}
	}
	return list, errors.Join(errs...)
}

func (v Virsh) network(ctx context.Context, name string) (Network, error) {
	xml, err := v.ask(ctx, "net-dumpxml", "--inactive", "--network", name)
	if err != nil {
		return Network{}, err
	}
	info, err := v.ask(ctx, "net-info", "--network", name)
	if err != nil {
		return Network{}, err
	}
	return Network{Name: name, XML: api.File{Name: name + ".xml", Text: xml}, Active: says(info, "Active"), Autostart: says(info, "Autostart")}, nil
}

// says reports whether a line of net-info says yes.
func says(info, what string) bool {
	for line := range strings.Lines(info) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == what {
			return strings.TrimSpace(value) == "yes"
		}
	}
	return false
}

// Leases implements Source.
func (v Virsh) Leases(ctx context.Context, network, _ string) ([]api.Lease, []string, error) {
	text, err := v.ask(ctx, "net-dhcp-leases", "--network", network)
	if err != nil {
		return nil, nil, err
	}
	list, notes := parseLeaseTable(text)
	now := time.Now()
	if v.Now != nil {
		now = v.Now()
	}
	return inForce(list, now), notes, nil
}

// columns are parted by two blanks at least.
var columns = regexp.MustCompile(`\s{2,}`)

// parseLeaseTable reads what net-dhcp-leases prints: under a head and a line, "expiry,
// MAC, protocol, address/length, host name, client id" with - for what is not known.
// The IAID of DHCPv6 is not told, without which a guest does not find its lease again.
func parseLeaseTable(text string) (list []api.Lease, notes []string) {
	v6 := 0
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); i < 2 || line == "" {
			continue
		}
		switch l, err := parseLeaseRow(columns.Split(line, -1)); {
		case err != nil:
			notes = append(notes, fmt.Sprintf("lease %d is left out: %v", i-1, err))
		case l.Protocol == "ipv6":
			v6++
		default:
			list = append(list, l)
		}
	}
	if v6 > 0 {
		notes = append(notes, fmt.Sprintf("leases of DHCPv6 are left out (%d): virsh tells no IAID; read libvirt's files without --virsh", v6))
	}
	return list, notes
}

func parseLeaseRow(cells []string) (api.Lease, error) {
	if len(cells) != 6 {
		return api.Lease{}, errors.New("it does not have six columns")
	}
	for i := range cells {
		if cells[i] == "-" {
			cells[i] = ""
		}
	}
	l := api.Lease{Hostname: cells[4], ClientID: cells[5]}
	end, err := time.Parse(time.DateTime, cells[0])
	if err != nil {
		return l, fmt.Errorf("%q is not a time", cells[0])
	}
	address, length, _ := strings.Cut(cells[3], "/")
	bits, _ := strconv.Atoi(length)
	return l, cmp.Or(setExpiry(&l, strconv.FormatInt(end.Unix(), 10)), setAddress(&l, address, bits), setMAC(&l, cells[1]))
}
