package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"kvmnet/internal/netns"
)

// Settings are sysctls by their path below /proc/sys: "net/ipv4/conf/eth0/rp_filter".
type Settings map[string]string

// LookAtSettings reads what the checks ask for of some links. What does not exist is
// left out: the kernel has no such thing, or the link went.
func LookAtSettings(ns *netns.NS, links []string) (Settings, error) {
	paths := []string{callIPTables, callIP6Tables}
	for _, link := range append([]string{"all"}, links...) {
		paths = append(paths, filter(link))
	}
	found := Settings{}
	err := ns.Do(func() error {
		for _, path := range paths {
			b, err := os.ReadFile(filepath.Join("/proc/sys", path))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			found[path] = strings.TrimSpace(string(b))
		}
		return nil
	})
	return found, err
}

const (
	callIPTables  = "net/bridge/bridge-nf-call-iptables"
	callIP6Tables = "net/bridge/bridge-nf-call-ip6tables"
)

func filter(link string) string { return "net/ipv4/conf/" + link + "/rp_filter" }

// LookAtLegacy lists the tables of the old iptables that are in use in a namespace,
// which nft does not tell of.
func LookAtLegacy(ns *netns.NS) (tables []string, err error) {
	err = ns.Do(func() error {
		for family, file := range map[string]string{"iptables": "ip_tables_names", "ip6tables": "ip6_tables_names"} {
			b, err := os.ReadFile("/proc/thread-self/net/" + file)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			for _, name := range strings.Fields(string(b)) {
				tables = append(tables, family+" "+name)
			}
		}
		return nil
	})
	return tables, err
}
