package egress

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func prefixes(t testing.TB, list ...string) []netip.Prefix {
	t.Helper()
	all, err := ParseAllowed(list)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAddresses(t *testing.T) {
	refused := map[string]string{
		"0.0.0.0": "unspecified", "0.1.2.3": "unspecified", "::": "unspecified",
		"127.0.0.1": "loopback", "127.255.255.254": "loopback", "::1": "loopback",
		"10.0.0.1": "private network", "172.16.0.1": "private network", "172.31.255.255": "private network",
		"192.168.0.1": "private network", "fc00::1": "private network", "fd12:3456::1": "private network",
		"100.64.0.1": "carrier network", "100.127.255.255": "carrier network",
		"169.254.0.1": "link-local", "fe80::1": "link-local", "fe80::1%eth0": "link-local", "febf::1": "link-local",
		"224.0.0.1": "multicast", "239.255.255.250": "multicast", "ff02::1": "multicast",
		"192.0.2.1": "documentation", "198.51.100.7": "documentation", "203.0.113.7": "documentation",
		"2001:db8::1": "documentation", "3fff::1": "documentation",
		"198.18.0.1": "benchmark", "198.19.255.255": "benchmark", "2001:2::1": "reserved",
		"240.0.0.1": "reserved", "255.255.255.255": "reserved", "192.0.0.8": "reserved", "192.0.0.192": "reserved",
		"192.88.99.1": "tunnel", "2002:7f00:1::1": "tunnel", "2002:808:808::1": "tunnel",
		"2001:0:53aa:64c:0:0:80ff:fffe": "reserved",
		"169.254.169.254":               "link-local", "100.100.100.200": "carrier network", "168.63.129.16": "cloud metadata",
		"fd00:ec2::254": "private network", "fd20:ce::254": "private network",
		"::ffff:127.0.0.1": "loopback", "::ffff:10.0.0.1": "private network", "::ffff:169.254.169.254%2": "link-local",
		"64:ff9b::127.0.0.1": "loopback", "64:ff9b::10.0.0.1": "private network", "64:ff9b::169.254.169.254%1": "link-local",
		"64:ff9b:1::8.8.8.8": "reserved", "::127.0.0.1": "reserved", "::ffff:0:127.0.0.1": "reserved",
		"fec0::1": "reserved", "100::1": "reserved", "5f00::1": "reserved", "4000::1": "reserved",
	}
	for text, want := range refused {
		var e *AddressError
		if err := check(netip.MustParseAddr(text), nil); !errors.As(err, &e) || e.Range != want {
			t.Errorf("%s: %v, want it refused as %s", text, err, want)
		} else if strings.Contains(err.Error(), e.Addr.String()) {
			t.Errorf("the error shows the address: %v", err)
		}
	}
	for _, text := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "198.17.255.255", "198.20.0.0",
		"223.255.255.255", "168.63.129.15", "2606:4700::1111", "2a00:1450::1", "2001:200::1", "2001:4860:4860::8888%3",
		"::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
	} {
		if err := check(netip.MustParseAddr(text), nil); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAllowedAddresses(t *testing.T) {
	allowed := prefixes(t, "127.0.0.1/32", "fd00::/8", "10.2.0.0/16")
	for text, want := range map[string]bool{
		"127.0.0.1": true, "::ffff:127.0.0.1": true, "127.0.0.2": false, "::1": false, "fd00:ec2::254": true, "fc00::1": false,
		"fd00::1%eth0": true, "10.2.3.4": true, "10.3.3.4": false, "64:ff9b::10.2.3.4": true, "64:ff9b::10.3.3.4": false,
		"8.8.8.8": true,
	} {
		if err := check(netip.MustParseAddr(text), allowed); (err == nil) != want {
			t.Errorf("%s: %v, want allowed: %v", text, err, want)
		}
	}
}

func TestParseAllowed(t *testing.T) {
	if got := prefixes(t, "10.0.0.0/8", " ::/0", "fe80::/10 "); len(got) != 3 {
		t.Errorf("got %v", got)
	}
	if got := prefixes(t); got != nil {
		t.Errorf("got %v", got)
	}
	_, err := ParseAllowed([]string{"10.0.0.0/8", "10.0.0.1/8", "10.0.0.1", "", "::ffff:10.0.0.0/104", "x", "fe80::%eth0/10"})
	if err == nil || strings.Count(err.Error(), "\n") != 5 || !strings.Contains(err.Error(), `10.0.0.0/8 instead of "10.0.0.1/8"`) {
		t.Errorf("got %v", err)
	}
}

// FuzzAddress compares the check with what net/netip knows of addresses.
func FuzzAddress(f *testing.F) {
	for _, text := range []string{
		"8.8.8.8", "127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::1.2.3.4", "64:ff9b::127.0.0.1", "fe80::1%eth0", "2002::", "ff02::1", "::", "2606::1%x",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > MaxURL {
			t.Skip()
		}
		addr, err := netip.ParseAddr(text)
		if err != nil {
			t.Skip()
		}
		got := check(addr, nil)
		plain := addr.WithZone("").Unmap()
		if again := check(plain, nil); (again == nil) != (got == nil) {
			t.Errorf("%s: %v, but as %s %v", addr, got, plain, again)
		}
		if got == nil && (!plain.IsGlobalUnicast() || plain.IsPrivate()) {
			t.Errorf("%s is allowed", addr)
		}
		if plain.Is4() {
			low := plain.As4()
			high := translated.Addr().As16()
			copy(high[12:], low[:])
			if again := check(netip.AddrFrom16(high), nil); (again == nil) != (got == nil) {
				t.Errorf("%s: %v, but translated %v", addr, got, again)
			}
		} else if got == nil && !unicast.Contains(plain) && !translated.Contains(plain) {
			t.Errorf("%s is allowed and outside of global unicast", addr)
		}
		if err := check(addr, []netip.Prefix{netip.PrefixFrom(plain, plain.BitLen())}); err != nil {
			t.Errorf("%s is allowed by name: %v", addr, err)
		}
	})
}
