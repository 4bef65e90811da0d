# What the catalogs say of the extension, object by object, in terms that depend
# neither on OIDs nor on the order in which the objects were created.
package IdemCatalog;

use strict;
use warnings;
use Exporter qw(import);

our @EXPORT = qw(catalog differences);

# The properties of the extension in a database, by "object: property"; as they
# are after some change, which is undone.
sub catalog
{
	my ($node, $database, $change) = @_;
	my $rows = $node->safe_psql($database,
		'BEGIN; ' . ($change // '') . "; SELECT format(E'%s: %s\\x1f%s\\x1e', object, property, value) FROM ("
		  . query() . ') AS properties; ROLLBACK');
	my %properties = map { s/^\n//r =~ /^(.*?)\x1f(.*)$/s } grep { /\x1f/ } split(/\x1e/, $rows);

	return \%properties;
}

# Which properties two catalogs do not share, sorted.
sub differences
{
	my ($one, $other) = @_;
	my %all = (%$one, %$other);

	return grep { !defined($one->{$_}) || !defined($other->{$_}) || $one->{$_} ne $other->{$_} } sort keys %all;
}

# A SELECT of all properties: object, property, value. An object of a kind that
# it does not know has the property "unknown kind". What the server itself stamps
# a column with, pg_attver, is left out.
sub query
{
	my $relations = "members JOIN pg_class AS c ON classid = 'pg_class'::regclass AND c.oid = objid";
	my $acl = sub { "coalesce(ARRAY(SELECT a::text FROM unnest($_[0]) AS a ORDER BY 1)::text, '-')" };
	my @parts = (
		"SELECT identity AS object, 'comment' AS property, obj_description(objid, classid::regclass::name) AS value FROM members",
		"SELECT identity, concat_ws(' ', 'initial privileges of column', nullif(i.objsubid, 0)), concat(i.privtype, " . $acl->('i.initprivs') . ")
		FROM members JOIN pg_init_privs AS i ON i.classoid = classid AND i.objoid = objid",
		"SELECT identity, 'unknown kind', classid::regclass::text FROM members
		WHERE classid NOT IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_type'::regclass, 'pg_am'::regclass, 'pg_namespace'::regclass)",

		# the extension itself
		"SELECT extname::text, 'state', concat_ws(' ', extversion, extrelocatable, extnamespace::regnamespace, extowner::regrole,
			obj_description(oid, 'pg_extension'))
		FROM pg_extension WHERE extname = 'idemstore'",
		"SELECT config.relid::regclass::text, 'rows in a dump', concat('where ', config.condition)
		FROM pg_extension, unnest(extconfig, extcondition) AS config (relid, condition) WHERE extname = 'idemstore'",

		# functions, access methods, schema, types
		"SELECT identity, 'definition', pg_get_functiondef(p.oid)
		FROM members JOIN pg_proc AS p ON classid = 'pg_proc'::regclass AND p.oid = objid",
		"SELECT identity, 'privileges', concat_ws(' ', proowner::regrole, " . $acl->('proacl') . ")
		FROM members JOIN pg_proc AS p ON classid = 'pg_proc'::regclass AND p.oid = objid",
		"SELECT identity, 'definition', concat_ws(' ', amtype, amhandler)
		FROM members JOIN pg_am AS a ON classid = 'pg_am'::regclass AND a.oid = objid",
		"SELECT identity, 'privileges', concat_ws(' ', nspowner::regrole, " . $acl->('nspacl') . ")
		FROM members JOIN pg_namespace AS n ON classid = 'pg_namespace'::regclass AND n.oid = objid",
		"SELECT identity, 'definition', concat_ws(' ', typtype, typcategory, typinput, typoutput, typcollation, typowner::regrole, " . $acl->('typacl') . ")
		FROM members JOIN pg_type AS t ON classid = 'pg_type'::regclass AND t.oid = objid",

		# relations and what belongs to them
		"SELECT identity, 'definition', concat_ws(' ', c.relkind, c.relpersistence, (SELECT amname FROM pg_am WHERE oid = c.relam), c.reloptions,
			(SELECT t.reloptions FROM pg_class AS t WHERE t.oid = c.reltoastrelid), c.relreplident, c.relrowsecurity, c.relforcerowsecurity, c.reltablespace)
		FROM $relations",
		"SELECT identity, 'privileges', concat_ws(' ', relowner::regrole, " . $acl->('relacl') . ") FROM $relations",
		"SELECT c.identity, 'column ' || attname, concat_ws(' ', row_number() OVER (PARTITION BY c.identity ORDER BY attnum), format_type(atttypid, atttypmod),
			nullif(attcollation, 0)::regcollation, attnotnull, pg_get_expr(adbin, adrelid), attstorage, attcompression, attstattarget, attidentity, attgenerated,
			ARRAY(SELECT option FROM unnest(attoptions) AS option WHERE option !~ '^pg_attver='),
			" . $acl->('attacl') . ", col_description(attrelid, attnum))
		FROM (SELECT identity, c.oid FROM $relations
				UNION ALL SELECT identity, typrelid FROM members JOIN pg_type AS t ON classid = 'pg_type'::regclass AND t.oid = objid
					-- from 17 on, the row types of tables are members, too
					JOIN pg_class AS r ON r.oid = t.typrelid AND r.relkind = 'c') AS c
			JOIN pg_attribute AS a ON a.attrelid = c.oid
			LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attnum > 0 AND NOT a.attisdropped",
		"SELECT identity, 'constraint ' || conname, concat_ws(' ', pg_get_constraintdef(k.oid), convalidated, obj_description(k.oid, 'pg_constraint'))
		-- from 18 on, NOT NULL is one of them, too; it is shown with its column
		FROM $relations JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype <> 'n'",
		"SELECT identity, 'index ' || i.indexrelid::regclass, concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered, i.indisreplident,
			x.reloptions, x.relpersistence, x.reltablespace, x.relowner::regrole, obj_description(x.oid, 'pg_class'))
		FROM $relations JOIN pg_index AS i ON i.indrelid = c.oid JOIN pg_class AS x ON x.oid = i.indexrelid",
		"SELECT identity, 'trigger ' || tgname, concat_ws(' ', pg_get_triggerdef(t.oid), tgenabled, obj_description(t.oid, 'pg_trigger'))
		FROM $relations JOIN pg_trigger AS t ON t.tgrelid = c.oid WHERE NOT tgisinternal",
		"SELECT identity, 'rule ' || rulename, concat_ws(' ', pg_get_ruledef(r.oid), ev_enabled, obj_description(r.oid, 'pg_rewrite'))
		FROM $relations JOIN pg_rewrite AS r ON r.ev_class = c.oid",
		"SELECT identity, 'policy ' || polname, concat_ws(' ', polcmd, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
		FROM $relations JOIN pg_policy AS p ON p.polrelid = c.oid",
		"SELECT identity, 'statistics ' || stxname, pg_get_statisticsobjdef(s.oid)
		FROM $relations JOIN pg_statistic_ext AS s ON s.stxrelid = c.oid");

	return "
		WITH members AS (
			SELECT d.classid, d.objid, concat_ws(' ', i.type, i.identity) AS identity
			FROM pg_extension AS e
				JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e',
				LATERAL pg_identify_object(d.classid, d.objid, 0) AS i
			WHERE e.extname = 'idemstore')
		" . join("\nUNION ALL ", @parts);
}

1;
