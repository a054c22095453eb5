package daemon

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"kvmnet/internal/doctor"
)

// Surroundings implements manage.Insight.
func (i insight) Surroundings(_ context.Context, p *doctor.Patient) (err error) {
	ns, _, rules, there := i.system.Namespace("")
	if !there {
		return nil
	}
	if p.Settings, err = doctor.LookAtSettings(ns, slices.Sorted(maps.Keys(p.Facts.Links))); err != nil {
		return err
	}
	if p.Legacy, err = doctor.LookAtLegacy(ns); err != nil {
		return err
	}
	chains, err := rules.ForeignChains()
	for _, c := range chains {
		p.Chains = append(p.Chains, doctor.Chain(c))
	}
	p.Resolvers = resolvers(i.resolvConf)
	return err
}

// resolvers are the servers that a file as resolv.conf(5) names; none where there is
// no file.
func resolvers(path string) (list []string) {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "nameserver" {
			list = append(list, words[1])
		}
	}
	return list
}
