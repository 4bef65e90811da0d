<?php
// PDO: what is bound as PARAM_LOB goes as bytea, all else as text without a type.
// An array is written as PostgreSQL writes it.

final class Session
{
	private PDO $pdo;

	public function __construct()
	{
		$this->pdo = new PDO('pgsql:', getenv('PGUSER'), null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
	}

	public function query(array $parts, array $parameters): array
	{
		$statement = $this->pdo->prepare(implode('?', str_replace('?', '??', $parts)));
		foreach ($parameters as $i => [$value, $type]) {
			$statement->bindValue($i + 1, $value, $type);
		}
		$statement->execute();
		return $statement->columnCount() > 0 ? $statement->fetchAll(PDO::FETCH_ASSOC) : [];
	}

	public function begin(): void { $this->pdo->beginTransaction(); }
	public function commit(): void { $this->pdo->commit(); }
	public function rollback(): void { $this->pdo->rollBack(); }
}

function content(string $given): string
{
	return str_starts_with($given, '@') ? file_get_contents(substr($given, 1)) : $given;
}

/** The value and how it is bound. */
function read(string $type, string $content): array
{
	return match ($type) {
		'bytes' => [$content, PDO::PARAM_LOB],
		'json' => [json_encode(json_decode($content, false, 512, JSON_THROW_ON_ERROR)), PDO::PARAM_STR],
		'int', 'long', 'nanoseconds' => [(int) $content, PDO::PARAM_INT],
		'duration' => ["$content seconds", PDO::PARAM_STR],
		'texts' => ['{' . implode(',', array_map(fn ($text) => '"' . addcslashes($text, '"\\') . '"', explode(',', $content))) . '}', PDO::PARAM_STR],
		default => [$content, PDO::PARAM_STR],
	};
}

/** The statement around its parameters, and these. */
function parse(string $statement, array $remembered): array
{
	$pieces = preg_split('/<<(\S+) (.*?)>>/', $statement, -1, PREG_SPLIT_DELIM_CAPTURE);
	$parts = [$pieces[0]];
	$parameters = [];
	for ($i = 1; $i < count($pieces); $i += 3) {
		$parameters[] = $pieces[$i] === '=' ? [$remembered[$pieces[$i + 1]], PDO::PARAM_STR] : read($pieces[$i], content($pieces[$i + 1]));
		$parts[] = $pieces[$i + 2];
	}
	return [$parts, $parameters];
}

function shown(mixed $value): string
{
	if (is_resource($value)) {
		return hashed('bytes', stream_get_contents($value));
	}
	if ($value === null || is_bool($value)) {
		return $value === null ? 'NULL' : ($value ? 'true' : 'false');
	}
	return preg_match('/^[ -~]{0,80}$/D', (string) $value) ? (string) $value : hashed('text', (string) $value);
}

function hashed(string $type, string $content): string
{
	return "$type " . strlen($content) . ' ' . hash('sha256', $content);
}

ini_set('memory_limit', '1G');
$sessions = ['A' => new Session(), 'B' => new Session()];
$remembered = [];
foreach (file($argv[1], FILE_IGNORE_NEW_LINES) as $line) {
	[$name, $statement] = explode("\t", $line);
	try {
		if (method_exists($sessions[$name], $statement)) {
			$sessions[$name]->$statement();
			echo "\n";
			continue;
		}
		$rows = $sessions[$name]->query(...parse($statement, $remembered));
		foreach ($rows as $row) {
			$remembered = array_merge($remembered, $row);
		}
		echo implode(';', array_map(fn ($row) => implode('|', array_map('shown', $row)), $rows)), "\n";
	} catch (PDOException $e) {
		echo 'error ', $e->getCode(), "\n";
	}
}
