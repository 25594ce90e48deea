<?php
// Makes a blog with an author, and says their application password.
require __DIR__ . '/settings.php';
define('WP_INSTALLING', true);
$_SERVER += ['SERVER_PROTOCOL' => 'HTTP/1.1', 'HTTP_HOST' => '127.0.0.1', 'REQUEST_METHOD' => 'GET', 'REQUEST_URI' => '/'];
require ABSPATH . 'wp-settings.php';
require ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install('Status', 'owner', 'owner@example.net', true, '', 'a-password-of-tests');
switch_theme('plain');
update_option('permalink_structure', '/%postname%/');
wp_insert_term('Status', 'category', ['slug' => 'status']);
wp_insert_term('Shop', 'post_tag', ['slug' => 'shop']);
// An author has no right to HTML of every kind: what they send is looked through.
$author = wp_insert_user(['user_login' => 'onscene', 'user_pass' => 'another-password-of-tests', 'role' => 'author']);
[$password] = WP_Application_Passwords::create_new_application_password($author, ['name' => 'onscene']);
$reader = wp_insert_user(['user_login' => 'reader', 'user_pass' => 'a-third-password-of-tests', 'role' => 'subscriber']);
[$readers] = WP_Application_Passwords::create_new_application_password($reader, ['name' => 'onscene']);
echo json_encode(['password' => $password, 'readers' => $readers]);
