package httpnode

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// ErrAddress reports text that is not host:port.
var ErrAddress = errors.New("httpnode: an address is host:port with a port from 1 to 65535")

const maxHost = 255 // bytes; the limit of the domain name system

// CheckAddress returns ErrAddress unless text is host:port: a name, an IPv4 address or an IPv6
// address in brackets. Addresses are compared as text, so nothing is rewritten.
func CheckAddress(text string) error {
	_, _, err := splitAddress(text)
	return err
}

func splitAddress(text string) (host string, port uint16, err error) {
	colon := strings.LastIndexByte(text, ':')
	if colon <= 0 || colon > maxHost {
		return "", 0, ErrAddress
	}
	host, digits := text[:colon], text[colon+1:]
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != digits {
		return "", 0, ErrAddress
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		if !ok || err != nil || !ip.Is6() {
			return "", 0, ErrAddress
		}
		return inner, uint16(n), nil
	}
	for i := range len(host) {
		if !isHostByte(host[i]) {
			return "", 0, ErrAddress
		}
	}
	return host, uint16(n), nil
}

func isHostByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_'
}

// loopback returns the IP address of an address in 127.0.0.0/8.
func loopback(address string) (netip.Addr, bool) {
	host, _, err := splitAddress(address)
	if err != nil {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(host)
	return ip, err == nil && ip.Is4() && ip.IsLoopback()
}

// DefaultListenAddress is where the node of an address listens when nothing else is said: on every
// interface, so that losing and regaining one is survived; but on exactly the address if it is in
// 127.0.0.0/8, so that several nodes on one machine share a port. The address must be valid.
func DefaultListenAddress(address string) string {
	host, port, err := splitAddress(address)
	if err != nil {
		return address
	}
	if _, ok := loopback(address); ok {
		return address
	}
	if strings.Contains(host, ":") {
		return "[::]:" + strconv.Itoa(int(port))
	}
	return "0.0.0.0:" + strconv.Itoa(int(port))
}
