<?php
// Every request is one for a page or for the API.
require __DIR__ . '/settings.php';
define('WP_USE_THEMES', true);
require ABSPATH . 'wp-settings.php';
wp();
require ABSPATH . WPINC . '/template-loader.php';
