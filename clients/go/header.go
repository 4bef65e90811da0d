package idemstore

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
)

// headerJSON writes a header as an array of pairs, which keeps repeated names; in
// the order of the names, so that the same header is the same text.
func headerJSON(header http.Header) (any, error) {
	if header == nil {
		return nil, nil
	}
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	sort.Strings(names)
	pairs := [][2]string{}
	for _, name := range names {
		for _, value := range header[name] {
			pairs = append(pairs, [2]string{name, value})
		}
	}
	return encode(pairs)
}

// headerFrom reads what any program may have stored: an object or an array of pairs.
func headerFrom(text []byte) (http.Header, error) {
	if text == nil {
		return nil, nil
	}
	header := http.Header{}
	var pairs [][]any
	if json.Unmarshal(text, &pairs) == nil {
		for _, pair := range pairs {
			if len(pair) == 2 {
				addValues(header, fmt.Sprint(pair[0]), pair[1])
			}
		}
		return header, nil
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, fmt.Errorf("idemstore: the stored headers cannot be read: %w", err)
	}
	for name, value := range object {
		addValues(header, name, value)
	}
	return header, nil
}

func addValues(header http.Header, name string, value any) {
	if list, isList := value.([]any); isList {
		for _, one := range list {
			header.Add(name, fmt.Sprint(one))
		}
		return
	}
	header.Add(name, fmt.Sprint(value))
}
