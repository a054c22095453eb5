package hostnet

import (
	"fmt"
	"path/filepath"
	"slices"

	"kvmnet/internal/netfiles"
)

// Claimants tells of links that are not the host's to configure who would do so all the
// same: network managers whose files match too much, by the link. Kvmnet's own files
// are left out; and NetworkManager leaves alone what others made, unless a profile
// fits.
func (h *Host) Claimants(links []string) (map[string]netfiles.Claim, error) {
	tree, err := netfiles.Read(h.Root, h.OwnDir)
	if err != nil {
		return nil, fmt.Errorf("read the configuration of network managers: %w", err)
	}
	found := map[string]netfiles.Claim{}
	for _, link := range links {
		claims := netfiles.Claims(tree, link, h.asker())
		i := slices.IndexFunc(claims, func(c netfiles.Claim) bool {
			return c.Manager != netfiles.Own && (c.Manager != netfiles.NetworkManager || filepath.IsAbs(c.Why))
		})
		if i >= 0 {
			found[link] = claims[i]
		}
	}
	return found, nil
}
