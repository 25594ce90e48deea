<?php
// Debian's WordPress with a directory, a database and an address of a test's own; the test says them in the environment.
define('ABSPATH', '/usr/share/wordpress/');
define('DB_NAME', 'wordpress');
define('DB_USER', 't');
define('DB_PASSWORD', 'words-of-a-test');
define('DB_HOST', '127.0.0.1:' . getenv('WORDPRESS_DATABASE_PORT'));
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
define('WP_HOME', getenv('WORDPRESS_URL'));
define('WP_SITEURL', getenv('WORDPRESS_URL'));
define('WP_CONTENT_DIR', getenv('WORDPRESS_CONTENT'));
// It shows application passwords by HTTPS only, but for such a one.
define('WP_ENVIRONMENT_TYPE', 'local');
// It asks its makers for nothing.
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('DISABLE_WP_CRON', true);
$table_prefix = 'wp_';
function wp_mail() { return true; }
